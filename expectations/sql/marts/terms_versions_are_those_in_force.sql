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

final as (
    select
        account_months.contract_id as subject,
        concat(
            'version ',
            coalesce(account_months.terms_version, 'none'),
            ' of ',
            account_months.terms_id,
            ', by its measured period ',
            case starting_versions.thresholds_from
                when 'period_end' then ending_versions.terms_version
                else starting_versions.terms_version
            end
        ) as detail
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
    where
        account_months.measured_from is not null
        and account_months.terms_version is distinct from
        case starting_versions.thresholds_from
            when 'period_end' then ending_versions.terms_version
            else starting_versions.terms_version
        end
)

select * from final
order by subject
