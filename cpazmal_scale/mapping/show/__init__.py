"""Maps as files and pages for people."""
