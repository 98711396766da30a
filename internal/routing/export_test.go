package routing

// ForgetSweeps lets the next review look at everybody.
func (d *Desk) ForgetSweeps() {
	for _, q := range d.queues {
		q.swept.clean = false
	}
}
