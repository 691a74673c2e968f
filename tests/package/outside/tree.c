/* tree.c - adds up all numbers of a tree, packed by hand: prints 55. */
#include <greenroom/greenroom.h>
#include <greenroom/msgpack.h>

#include <inttypes.h>
#include <stdio.h>

static uint64_t sum(const msgpack_object *tree)
{
    uint64_t total = 0;
    if (tree->type == MSGPACK_OBJECT_POSITIVE_INTEGER) {
        return tree->via.u64;
    }
    if (tree->type == MSGPACK_OBJECT_ARRAY) {
        for (uint32_t i = 0; i < tree->via.array.size; i++) {
            total += sum(&tree->via.array.ptr[i]);
        }
    }
    return total;
}

static int adder_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    msgpack_object tree;
    msgpack_object total = {.type = MSGPACK_OBJECT_POSITIVE_INTEGER};
    (void)state;

    GR_TRY(gr_msg_tree(self, msg, &tree));
    total.via.u64 = sum(&tree);
    return gr_reply(self, msg, "total", gr_object(&total));
}

static const gr_behavior adder = {.name = "adder", .receive = adder_receive};

static int app(gr_actor *self, int argc, char **argv)
{
    gr_pid a;
    uint64_t total;
    msgpack_packer pk;
    (void)argc, (void)argv;

    GR_TRY(gr_spawn(self, &adder, NULL, &a));
    GR_TRY(gr_pack_begin(self, &pk));
    msgpack_pack_array(&pk, 2);
    msgpack_pack_str_with_body(&pk, "add", 3);
    msgpack_pack_array(&pk, 5);
    for (int i = 1; i <= 10; i += 2) {
        msgpack_pack_array(&pk, 2);
        msgpack_pack_int(&pk, i);
        msgpack_pack_int(&pk, i + 1);
    }
    GR_TRY(gr_pack_call(self, a, GR_FOREVER, gr_expect("total", &total), &pk));
    printf("%" PRIu64 "\n", total);
    return 0;
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
