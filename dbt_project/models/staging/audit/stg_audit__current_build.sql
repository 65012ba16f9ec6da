with

current_build as (
    select * from {{ source('audit', 'current_build') }}
),

final as (
    select
        current_build.run_id,
        current_build.service_month,
        current_build.as_of
    from current_build
)

select * from final
