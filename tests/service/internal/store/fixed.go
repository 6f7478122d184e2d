package store

// FirstLargeFixed returns the first order over a limit.
func (s *Store) FirstLargeFixed(limit int) (int, error) {
	rows, err := s.db.Query("SELECT amount FROM orders")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var amount int
		if err := rows.Scan(&amount); err != nil {
			return 0, err
		}
		if amount > limit {
			return amount, nil
		}
	}
	return 0, rows.Err()
}
