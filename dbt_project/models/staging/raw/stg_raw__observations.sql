with

observations as (
    select * from {{ source('raw', 'observations') }}
),

final as (
    select
        observations.code,
        observations.subject,
        observations.object_id,
        observations.detail
    from observations
)

select * from final
