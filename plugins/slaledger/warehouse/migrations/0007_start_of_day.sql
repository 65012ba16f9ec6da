-- The first instant of a local day: of a midnight that occurs twice the first, of one that a change of clocks skips
-- the first instant after it (rules P1, R3). `at time zone` alone takes the second of two.
create function raw.start_of_day(local_day date, time_zone text)
returns timestamptz language sql stable strict parallel safe as $$
    select min(tried.instant)
    from (
        -- Clocks are set back by half an hour, an hour or two.
        select local_day::timestamp at time zone time_zone - set_back.minutes * interval '1 minute' as instant
        from unnest(array[0, 30, 60, 120]) as set_back (minutes)
    ) as tried
    where tried.instant at time zone time_zone >= local_day::timestamp
$$;
