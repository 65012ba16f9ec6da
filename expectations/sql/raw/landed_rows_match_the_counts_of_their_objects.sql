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

object_counts as (
    select
        source_objects.key,
        source_objects.rows_quarantined,
        coalesce(quarantined.n, 0) as held_quarantined,
        case
            when source_objects.feed = 'monitoring/checks'
                then source_objects.rows_loaded
            else source_objects.rows_loaded + source_objects.rows_duplicate
        end as rows_kept,
        case
            when source_objects.feed = 'monitoring/checks'
                then coalesce(check_rows.n, 0)
            else coalesce(kept_counts.n, 0)
        end as held_kept
    from raw.source_objects
    left outer join
        kept_counts
        on source_objects.object_id = kept_counts.object_id
    left outer join
        check_rows
        on source_objects.object_id = check_rows.object_id
    left outer join
        quarantined
        on source_objects.object_id = quarantined.object_id
    where source_objects.is_in_force
),

final as (
    select
        object_counts.key as subject,
        concat(
            object_counts.held_kept,
            ' rows for ',
            object_counts.rows_kept,
            ' that count as loaded, ',
            object_counts.held_quarantined,
            ' for ',
            object_counts.rows_quarantined,
            ' that count as quarantined'
        ) as detail
    from object_counts
    where
        object_counts.held_kept <> object_counts.rows_kept
        or object_counts.held_quarantined <> object_counts.rows_quarantined
)

select * from final
order by subject
