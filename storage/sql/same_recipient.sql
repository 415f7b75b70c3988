-- The other pieces that go to the name, street and five-digit ZIP code of this one, the newest first.
SELECT other.id
FROM pieces mine
JOIN pieces other ON other.workspace_id = mine.workspace_id AND other.name_key = mine.name_key
WHERE mine.workspace_id = :workspace AND mine.id = :piece AND mine.name_key <> '' AND mine.address_key <> ''
  AND other.address_key = mine.address_key AND substr(other.postcode, 1, 5) = substr(mine.postcode, 1, 5)
  AND other.id <> mine.id
ORDER BY other.id DESC LIMIT :limit
