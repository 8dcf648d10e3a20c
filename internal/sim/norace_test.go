//go:build !race

package sim

const defaultSeeds = 200 // what takes some 4 s on two cores
