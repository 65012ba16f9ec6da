-- Rules U2, U3, U5, by exact durations. A tier of a lower `below` has the
-- higher percent (rule T4), so the one that applies is the highest. Blocked
-- account-months may show a percent; they have no amount.
with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

credits as (
    select fct_credits.*
    from marts.fct_credits
    inner join audit.current_build
        on fct_credits.service_month = current_build.service_month
),

bases as (
    select
        account_months.*,
        terms_versions.credit_tiers,
        terms_versions.terms_id is not null as has_terms,
        account_months.measured_seconds
        - case terms_versions.excluded_time
            when 'out_of_base' then account_months.excluded_seconds
            else 0
        end as base_seconds
    from account_months
    left outer join raw.terms_versions
        on
            account_months.terms_id = terms_versions.terms_id
            and account_months.terms_version = terms_versions.terms_version
),

expected as (
    select
        bases.contract_id,
        bases.status,
        bases.has_terms,
        case
            when not bases.guaranteed then 0
            when bases.status = 'measured'
                then (
                    select coalesce(max((tiers.tier ->> 'percent')::numeric), 0)
                    from
                        jsonb_array_elements(bases.credit_tiers)
                            as tiers (tier)
                    where
                        100 * (bases.base_seconds - bases.counted_seconds)
                        < (tiers.tier ->> 'below')::numeric
                        * bases.base_seconds
                )
        end as credit_percent
    from bases
),

population as (
    select
        credits.contract_id,
        credits.credit_percent,
        expected.credit_percent as expected_percent,
        expected.status,
        expected.has_terms
    from credits
    inner join expected on credits.contract_id = expected.contract_id
    where credits.basis = 'availability'
),

final as (
    select
        population.contract_id as subject,
        concat(
            'credit ',
            coalesce(population.credit_percent::text, 'null'),
            ' percent, by its tiers ',
            coalesce(population.expected_percent::text, 'null')
        ) as detail
    from population
    where
        population.has_terms
        and population.status <> 'blocked'
        and population.credit_percent
        is distinct from population.expected_percent
)

select * from final
order by subject
