"""What stands in the way of a deployment: asked of each host in one contact, of the names, and of the deployer.

examine    asks everybody, side by side; one dead host hides no other
host       what the facts of a host come to
ports      who listens where the deployment will
deployer   what this machine lacks
"""
