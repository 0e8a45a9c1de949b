"""The assessment as a page."""
