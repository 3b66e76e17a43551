package guise

// Moves says what comes of a VM that is moved between hosts, as MoveOne does: of each
// ordered pair of captures that wanted admits, nil for all, in their order. Of several
// VMMs the worst outcome counts. Hosts of equal views under equal kernels are judged once.
//
// Contract and setup are MoveOne's, and so are the errors.
func Moves(contract *Contract, captures []*Capture, setup string, vmms []VMM, wanted func(from, to *Capture) bool) ([]Move, error) {
	if err := usableHosts(captures...); err != nil {
		return nil, err
	}
	kinds := make([]string, len(captures))
	for i, c := range captures {
		kinds[i] = moveKind(c)
	}
	judged := map[[2]string]*Move{}
	var moves []Move
	for i, from := range captures {
		for j, to := range captures {
			if i == j || wanted != nil && !wanted(from, to) {
				continue
			}
			pair := [2]string{kinds[i], kinds[j]}
			if judged[pair] == nil {
				worst, err := worstMove(contract, from, to, setup, vmms)
				if err != nil {
					return nil, err
				}
				judged[pair] = worst
			}
			m := *judged[pair]
			m.From, m.To = from.Name, to.Name
			moves = append(moves, m)
		}
	}
	return moves, nil
}

// moveKind is equal for hosts between which nothing changes.
func moveKind(c *Capture) string {
	return c.knownDigest() + c.servedKey() + c.Host.Kernel
}

// worstMove is the move by the VMM that does worst.
func worstMove(contract *Contract, from, to *Capture, setup string, vmms []VMM) (*Move, error) {
	var worst *Move
	for _, vmm := range vmms {
		m, err := MoveOne(contract, from, to, setup, vmm)
		if err != nil {
			return nil, err
		}
		if worst == nil || m.Outcome > worst.Outcome {
			worst = &m
		}
	}
	if worst == nil {
		worst = &Move{From: from.Name, To: to.Name, Outcome: MoveUnknown, Points: []MovePoint{{Outcome: MoveUnknown, Register: "VMM", Means: "there is none"}}}
	}
	return worst, nil
}
