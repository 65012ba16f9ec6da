"""What must hold at both borders of dbt: data, from which `slaledger.gates` makes the Great Expectations suites."""
