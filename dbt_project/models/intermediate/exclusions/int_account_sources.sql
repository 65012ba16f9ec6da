-- Grain: one account that an entry or a notice in reach names; others absent.
-- What a class of accounts (a scope) needs to tell it from the next.
with

entries as (
    select * from {{ ref('int_exclusion_verdicts') }}
),

notices as (
    select * from {{ ref('int_maintenance_notices') }}
),

named as (
    select
        unnest(entries.account_ids) as account_id,
        'exclusion:' || entries.exclusion_id as source_id
    from entries
    where entries.is_sound and entries.is_in_reach
    union all
    select
        unnest(notices.account_ids) as account_id,
        'notice:' || notices.notice_id as source_id
    from notices
),

final as (
    select
        named.account_id,
        array_agg(
            distinct {{ in_byte_order('named.source_id') }}
            order by {{ in_byte_order('named.source_id') }}
        ) as source_ids
    from named
    group by named.account_id
)

select * from final
