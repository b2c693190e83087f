// expect: this structure can't be sent: name its fields with MSGPACK_DEFINE_MAP
#include "handlers/single_handler.h"

struct Plain {
  int number;
};
constexpr grid::SingleHandler<Plain, int> kHandler{grid::HandlerId{9}};
