"""Asks an agent how its services are, and proves the answer:

    MUSTER_BUS_CREDENTIALS=.muster/keys/operator-cli.creds python3 examples/foreign-clients/ask.py web1
"""

import sys

from muster import Bus

for one in Bus().ask(sys.argv[1], "status", {})["instances"]:
    print(f"{one['service']}.{one['instance']} {one['state']}: {one['reason']}")
