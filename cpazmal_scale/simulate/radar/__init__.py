"""An independent SAR: Level-1b products of mountains by scatterers, with their truth.

Nothing of the processor's geometry is used here: orbit, projection and file writers are own.
"""
