"""Migration: applications leave one environment's hosts for another's, with all their data; and the way back.

sides       both environments, and which application goes from which host to which
journal     how far a migration has come, written down on the deployer
standing    how it stands, as the hosts have it written down
planning    what it would do
predicting  for how long nobody could write
staging     the new side's deployment as long as its applications must not run
carrying_out  the phases, one after the other
moves, planning_moves, moving  the same within one environment: what would stay behind, and bringing it along
names       leading the names to the new side, or waiting until somebody has
"""
