"""The anchors of headings."""


def as_jupyterlab(title: str) -> str:
    """The anchor of a heading as JupyterLab makes it, so that links of the notebooks hold here."""
    # a quotation mark would end the attribute that holds it
    return title.replace(" ", "-").replace('"', "")
