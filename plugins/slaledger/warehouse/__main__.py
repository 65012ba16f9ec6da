"""`python -m slaledger.warehouse`: migrate the warehouse of the base connection, and nothing else."""

from slaledger import settings
from slaledger.warehouse import migrate

if __name__ == "__main__":
    migrate(settings.load().warehouse)
