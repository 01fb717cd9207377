"""Migration: applications leave one environment's hosts for another's, with all their data; and the way back.

sides       both environments, and which application goes from which host to which
journal     how far a migration has come, written down on the deployer
standing    how it stands, as the hosts have it written down
planning    what it would do
room        whether there is room for what comes
predicting  for how long nobody could write
staging     the new side's deployment as long as its applications must not run
abreast     several applications at once, each host with one after the other
hands       what is done on hosts
at_work     phase after phase, written down, and how it stands in the end
phases      what each of them does
rehearsing  the same without the switch
carrying_out  what is left of the phases is carried out, by one at a time
moves, planning_moves, moving  the same within one environment: what would stay behind, and bringing it along
names       leading the names to the new side, or waiting until somebody has
"""
