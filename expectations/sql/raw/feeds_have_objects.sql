with

-- Tickets come from either feed.
population (feed, other_feed) as (
    values
    ('catalog/monitors', null),
    ('catalog/components', null),
    ('monitoring/checks', null),
    ('status_page/statuspage', null),
    ('notices', null),
    ('exclusions', null),
    ('tickets/events', 'tickets/zendesk'),
    ('accounts/accounts', null),
    ('accounts/contracts', null),
    ('accounts/fees', null),
    ('claims', null)
),

final as (
    select
        population.feed as subject,
        'the feed has no object' as detail
    from population
    left outer join gate.objects
        on objects.feed in (population.feed, population.other_feed)
    where objects.object_id is null
)

select * from final
order by subject
