package sample

import "testing"

func TestMost(t *testing.T) {
	if Most([]int{1, 3, 2}) != 3 || Most([]int{-2, -1}) != -1 {
		t.Error("not the largest")
	}
}

func TestBits(t *testing.T) {
	if Bits(1, 3, 1) != 2 {
		t.Error("not the bits")
	}
}

func TestOdd(t *testing.T) {
	if !Odd(3) || Odd(2) {
		t.Error("not odd")
	}
}

func TestSum(t *testing.T) {
	if Sum([]int{1, 2}, 10) != 3 || Sum([]int{4, 5, 6}, 10) != 10 {
		t.Error("not the sum")
	}
}
