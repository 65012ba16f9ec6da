with

final as (
    select
        'nothing has landed from the bucket' as detail,
        to_char(current_build.service_month, 'YYYY-MM') as subject
    from audit.current_build
    where not exists (select 1 from raw.source_objects)
)

select * from final
