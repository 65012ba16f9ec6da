with

availability_findings as (
    select * from {{ ref('int_availability_findings') }}
),

contracts_findings as (
    select * from {{ ref('int_contracts_findings') }}
),

exclusions_findings as (
    select * from {{ ref('int_exclusions_findings') }}
),

responses_findings as (
    select * from {{ ref('int_responses_findings') }}
),

claims_findings as (
    select * from {{ ref('int_claims_findings') }}
),

landing_findings as (
    select * from {{ ref('int_landing_findings') }}
),

build as (
    select * from {{ ref('stg_audit__current_build') }}
),

findings as (
    select
        availability_findings.code,
        availability_findings.subject,
        availability_findings.object_id,
        availability_findings.detail
    from availability_findings
    union distinct
    select
        contracts_findings.code,
        contracts_findings.subject,
        contracts_findings.object_id,
        contracts_findings.detail
    from contracts_findings
    union distinct
    select
        exclusions_findings.code,
        exclusions_findings.subject,
        exclusions_findings.object_id,
        exclusions_findings.detail
    from exclusions_findings
    union distinct
    select
        responses_findings.code,
        responses_findings.subject,
        responses_findings.object_id,
        responses_findings.detail
    from responses_findings
    union distinct
    select
        claims_findings.code,
        claims_findings.subject,
        claims_findings.object_id,
        claims_findings.detail
    from claims_findings
    union distinct
    select
        landing_findings.code,
        landing_findings.subject,
        landing_findings.object_id,
        landing_findings.detail
    from landing_findings
),

final as (
    select
        findings.code,
        build.service_month,
        findings.subject,
        findings.object_id,
        findings.detail
    from findings
    cross join build
)

select * from final
