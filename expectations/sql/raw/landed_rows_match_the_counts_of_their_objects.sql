-- Checks are reduced to streaks, whose `n` adds up to the rows loaded;
-- duplicate checks add nothing.
with

kept_rows as (
    select
        monitors.object_id,
        count(*) as n
    from raw.monitors
    group by monitors.object_id
    union all
    select
        components.object_id,
        count(*) as n
    from raw.components
    group by components.object_id
    union all
    select
        incidents.object_id,
        count(*) as n
    from raw.incidents
    group by incidents.object_id
    union all
    select
        notices.object_id,
        count(*) as n
    from raw.notices
    group by notices.object_id
    union all
    select
        exclusions.object_id,
        count(*) as n
    from raw.exclusions
    group by exclusions.object_id
    union all
    select
        ticket_events.object_id,
        count(*) as n
    from raw.ticket_events
    group by ticket_events.object_id
    union all
    select
        accounts.object_id,
        count(*) as n
    from raw.accounts
    group by accounts.object_id
    union all
    select
        contracts.object_id,
        count(*) as n
    from raw.contracts
    group by contracts.object_id
    union all
    select
        fees.object_id,
        count(*) as n
    from raw.fees
    group by fees.object_id
    union all
    select
        claims.object_id,
        count(*) as n
    from raw.claims
    group by claims.object_id
    union all
    select
        terms.object_id,
        count(*) as n
    from raw.terms
    group by terms.object_id
    union all
    select
        zendesk_tickets.object_id,
        count(*) as n
    from raw.zendesk_tickets
    group by zendesk_tickets.object_id
    union all
    select
        zendesk_ticket_events.object_id,
        count(*) as n
    from raw.zendesk_ticket_events
    group by zendesk_ticket_events.object_id
    union all
    select
        zendesk_users.object_id,
        count(*) as n
    from raw.zendesk_users
    group by zendesk_users.object_id
),

kept_counts as (
    select
        kept_rows.object_id,
        sum(kept_rows.n) as n
    from kept_rows
    group by kept_rows.object_id
),

check_rows as (
    select
        check_streaks.object_id,
        sum(check_streaks.n) as n
    from raw.check_streaks
    group by check_streaks.object_id
),

quarantined as (
    select
        quarantined_rows.object_id,
        count(*) as n
    from raw.quarantined_rows
    group by quarantined_rows.object_id
),

population as (
    select
        objects.key,
        objects.rows_quarantined,
        coalesce(quarantined.n, 0) as held_quarantined,
        case
            when objects.feed = 'monitoring/checks'
                then objects.rows_loaded
            else objects.rows_loaded + objects.rows_duplicate
        end as rows_kept,
        case
            when objects.feed = 'monitoring/checks'
                then coalesce(check_rows.n, 0)
            else coalesce(kept_counts.n, 0)
        end as held_kept
    from gate.objects
    left outer join kept_counts on objects.object_id = kept_counts.object_id
    left outer join check_rows on objects.object_id = check_rows.object_id
    left outer join quarantined on objects.object_id = quarantined.object_id
),

final as (
    select
        population.key as subject,
        concat(
            population.held_kept,
            ' rows for ',
            population.rows_kept,
            ' that count as loaded, ',
            population.held_quarantined,
            ' for ',
            population.rows_quarantined,
            ' that count as quarantined'
        ) as detail
    from population
    where
        population.held_kept <> population.rows_kept
        or population.held_quarantined <> population.rows_quarantined
)

select * from final
order by subject
