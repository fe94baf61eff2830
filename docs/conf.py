"""How Sphinx makes a site of these pages: `make docs`."""

project = "Groundwork"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "Groundwork"
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # a page that shows a part of another starts below its title
