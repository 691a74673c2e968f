module greenroom/bench/peers/go

go 1.19
