-- The quarantine limit of a run is on its validation record.
select;
