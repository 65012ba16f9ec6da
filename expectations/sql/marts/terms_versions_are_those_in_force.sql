-- Rule T3: the version in force at the start says whether it decides itself, or
-- the one in force at the period's last instant. Blocked for its terms, an
-- account-month has none.
with

account_months as (
    select fct_account_months.*
    from marts.fct_account_months
    inner join audit.current_build
        on fct_account_months.service_month = current_build.service_month
),

population as (
    select
        account_months.*,
        case starting_versions.thresholds_from
            when 'period_end' then ending_versions.terms_version
            else starting_versions.terms_version
        end as version_in_force
    from account_months
    left outer join raw.terms_versions as starting_versions
        on
            account_months.terms_id = starting_versions.terms_id
            and account_months.measured_from >= starting_versions.effective_from
            and account_months.measured_from
            < coalesce(starting_versions.effective_until, 'infinity')
    left outer join raw.terms_versions as ending_versions
        on
            account_months.terms_id = ending_versions.terms_id
            and account_months.measured_until > ending_versions.effective_from
            and account_months.measured_until
            <= coalesce(ending_versions.effective_until, 'infinity')
),

final as (
    select
        population.contract_id as subject,
        concat(
            'version ',
            coalesce(population.terms_version, 'none'),
            ' of ',
            population.terms_id,
            ', by its measured period ',
            population.version_in_force
        ) as detail
    from population
    where
        population.measured_from is not null
        and population.terms_version
        is distinct from population.version_in_force
)

select * from final
order by subject
