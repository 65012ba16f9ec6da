with

final as (
    select
        fct_findings.code as subject,
        concat('reported: ', count(*)) as detail
    from marts.fct_findings
    inner join audit.current_build
        on fct_findings.service_month = current_build.service_month
    group by fct_findings.code
)

select * from final
order by subject
