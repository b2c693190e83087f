// expect: a decoded value keeps nothing of the payload
#include "handlers/single_handler.h"

struct Request {
  std::string_view name;
  MSGPACK_DEFINE_MAP(name);
};

void Register(grid::Registrar& registrar) {
  constexpr grid::SingleHandler<Request, int> kHandler{grid::HandlerId{9}};
  (void)kHandler.Register(
      registrar, [](const Request&, grid::RequestContext&) { return absl::StatusOr<int>(1); });
}
