"""The simulated world: kernel, network, disks, clocks, engines and the driver of nodes in it."""
