"""`python -m slaledger.warehouse`: migrate the warehouse of the base connection, and nothing else."""

from slaledger import failures, settings
from slaledger.warehouse import migrate

if __name__ == "__main__":
    with failures.told():
        migrate(settings.load().warehouse)
