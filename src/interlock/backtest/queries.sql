-- name: sampled_backtest
-- Decisions that came to a point, each with the same chance: those whose hash with the seed comes first. Known cases are made up; of
-- what went to a person and was decided anew the later one counts.
select d.id from decision d
where d.workflow = %(workflow)s and d.point = %(point)s and d.id >= %(since)s and d.id < %(until)s
  and (d.review is null or d.review not in (select id from known_case))
  and (d.route <> 'review' or not exists (select from decision n where n.supersedes = d.id))
order by hashtextextended(d.id::text, %(seed)s), d.id limit %(most)s

-- name: next_backtest
-- A page of all of them, in their order.
select d.id from decision d
where d.workflow = %(workflow)s and d.point = %(point)s and d.id > %(after)s and d.id >= %(since)s and d.id < %(until)s
  and (d.review is null or d.review not in (select id from known_case))
  and (d.route <> 'review' or not exists (select from decision n where n.supersedes = d.id))
order by d.id limit %(most)s

-- name: newest_certificate
select id from certificate where workflow = %(workflow)s and point = %(point)s order by id desc limit 1
