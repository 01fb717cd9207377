"""The names that lead to the hosts: as a zone file, looked up, and brought to a DNS server by signed updates.

records   what should be set, in the forms that others read
lookup    where the names lead now
ownership who brought a name into a zone, as the zone itself remembers it
plan      what would change at a server
server    asking a server, and updating it
"""
