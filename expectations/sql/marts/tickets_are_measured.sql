with

final as (
    select
        coalesce(fct_response_times.reason, 'no reason') as subject,
        concat(count(*), ' tickets are not measured') as detail
    from marts.fct_response_times
    inner join audit.current_build
        on fct_response_times.service_month = current_build.service_month
    where fct_response_times.outcome = 'not_measured'
    group by fct_response_times.reason
)

select * from final
order by subject
