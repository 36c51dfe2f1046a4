-- One row a profile, with the newest score that one of the named models gave it: two answers to one
-- question would teach neither.
SELECT DISTINCT ON (profiles.twitter_id)
  profiles.twitter_id,
  profiles.username AS handle,
  profiles.display_name,
  profiles.bio,
  to_char(profiles.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS created_at,
  profiles.follower_count,
  profiles.location,
  profiles.category,
  scores.score,
  scores.reason,
  scores.scored_by
FROM profile_scores AS scores
JOIN user_profiles AS profiles ON scores.twitter_id = profiles.twitter_id
WHERE scores.scored_by = ANY (:scorers)
ORDER BY profiles.twitter_id, scores.scored_at DESC, scores.scored_by
