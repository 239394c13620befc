"""Page tables as a kernel engineer reads them: entries taken apart by name, and the walk of one address.

Start reading at: `fields` (what a named field is, and `decode`), then the layouts of each architecture, then `walked`.

Not here: what entries should be (the engine of entry claims has accounts of its own), and how any of it is printed.
"""
