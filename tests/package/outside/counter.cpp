// counter.cpp - adds up numbers in an actor and asks for the sum: prints 55.
#include <greenroom/greenroom.h>

#include <cstdint>
#include <iostream>

namespace
{

struct counter_state {
    std::int64_t total;
};

int counter_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    auto *c = static_cast<counter_state *>(state);
    std::int64_t n = 0;

    if (gr_match(msg, "add", &n)) {
        c->total += n;
        return 0;
    }
    if (gr_match(msg, "get")) {
        return gr_reply(self, msg, "total", c->total);
    }
    return gr_unhandled(self, msg);
}

// C++17 has no designated initialisers.
const gr_behavior counter = [] {
    gr_behavior b{};
    b.name = "counter";
    b.state_size = sizeof(counter_state);
    b.receive = counter_receive;
    return b;
}();

int app(gr_actor *self, int, char **)
{
    gr_pid c{};
    std::int64_t total = 0;

    GR_TRY(gr_spawn(self, &counter, nullptr, &c));
    for (int i = 1; i <= 10; i++) {
        gr_tell(self, c, "add", i);
    }
    GR_TRY(gr_call(self, c, GR_FOREVER, gr_expect("total", &total), "get"));
    std::cout << total << "\n";
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
