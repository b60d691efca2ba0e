"""The side that starts node processes, orders faults and gathers their traces."""
