"""Several machines: the same work as on one, done by workers that Ray starts.

`connection` is the one module that knows Ray.
"""
