-- Grain: one name in an entry or a notice in reach that no export knows.
with

entries as (
    select * from {{ ref('int_exclusion_verdicts') }}
    where is_in_reach
),

notices as (
    select * from {{ ref('int_maintenance_notices') }}
),

components as (
    select * from {{ ref('stg_catalog__components') }}
),

monitors as (
    select * from {{ ref('stg_catalog__monitors') }}
),

accounts as (
    select * from {{ ref('stg_accounts__accounts') }}
),

known as (
    select
        spelled.kind,
        spelled.known_name
    from components
    cross join
        lateral (
            values
            ('service', components.service),
            ('region', components.region),
            ('component', components.component_id)
        ) as spelled (kind, known_name)
    union
    select
        spelled.kind,
        spelled.known_name
    from monitors
    cross join
        lateral (
            values
            ('service', monitors.service),
            ('region', monitors.region)
        ) as spelled (kind, known_name)
    union
    select
        'account' as kind,
        accounts.account_id as known_name
    from accounts
    union
    select
        'region' as kind,
        'global' as known_name
),

lists as (
    select
        'exclusion' as source_kind,
        entries.exclusion_id as subject,
        entries.object_id,
        entries.line_number,
        spelled.kind,
        spelled.given_names
    from entries
    cross join
        lateral (
            values
            ('service', entries.services),
            ('region', entries.regions),
            ('account', entries.account_ids)
        ) as spelled (kind, given_names)
    union all
    select
        'notice' as source_kind,
        notices.notice_id as subject,
        notices.object_id,
        notices.line_number,
        spelled.kind,
        spelled.given_names
    from notices
    cross join lateral (
        values
        ('component', notices.component_ids),
        ('account', notices.account_ids)
    ) as spelled (kind, given_names)
),

named as (
    select distinct
        lists.source_kind,
        lists.subject,
        lists.object_id,
        lists.line_number,
        lists.kind,
        unnest(lists.given_names) as given_name
    from lists
),

final as (
    select
        named.subject,
        named.object_id,
        named.source_kind || '_unknown_' || named.kind as code,
        'Line ' || named.line_number || ' names the ' || named.kind || ' '
        || named.given_name
        || ', which no export knows: it covers nothing there.' as detail
    from named
    left outer join known
        on
            named.kind = known.kind
            and named.given_name = known.known_name
    where known.known_name is null
)

select * from final
