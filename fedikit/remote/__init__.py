"""The way to a host.

bootstrap  the agent as it travels, and the command that starts it
transport  how a host is reached, as bytes in and lines out: over SSH, on this machine, into a directory
messages   the one door for what a host says
payload    items as they travel
session    one conversation with one agent
sessions   the sessions of a deployment's hosts, kept open from plan to apply
hosts      which hosts, side by side
shell      one command in a login shell
"""
