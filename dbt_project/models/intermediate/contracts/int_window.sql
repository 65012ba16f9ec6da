-- Grain: one row, what the build has to look at: the widest service month over
-- the zones of its contracts, and beyond it as far as an outage must reach to
-- be long enough (rule D5), cut at the as-of time.
with

current_build as (
    select * from {{ ref('stg_audit__current_build') }}
),

contract_terms as (
    select * from {{ ref('int_contract_terms') }}
),

terms_versions as (
    select * from {{ ref('stg_terms__versions') }}
),

month_bounds as (
    select
        current_build.as_of,
        coalesce(
            min(contract_terms.month_starts_at),
            current_build.service_month::timestamp at time zone 'UTC'
        ) as starts_at,
        coalesce(
            max(contract_terms.month_ends_at),
            (current_build.service_month + interval '1 month')
            at time zone 'UTC'
        ) as ends_at
    from current_build
    left outer join contract_terms
        on current_build.service_month = contract_terms.service_month
    group by current_build.as_of, current_build.service_month
),

reaches as (
    select
        make_interval(
            secs => coalesce(max(terms_versions.minimum_outage_seconds), 0)
        ) as reach
    from terms_versions
),

final as (
    select
        least(month_bounds.starts_at - reaches.reach, month_bounds.as_of)
            as started_at,
        least(month_bounds.ends_at + reaches.reach, month_bounds.as_of)
            as ended_at
    from month_bounds
    cross join reaches
)

select * from final
