"""The stages of the main job, one module per verb.

Each takes the run's configuration and publishes its product. A stage finds what earlier ones made
through the catalog, so that any of them can be run alone, from the command line or by a flow, today
or next month.
"""
