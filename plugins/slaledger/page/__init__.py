"""Pages inside Airflow's own."""
