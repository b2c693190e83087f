// The bodies of Asio, Beast and Boost.URL, compiled here once instead of in every file that uses
// them (target grid_boost, whose definitions tell the headers so).

#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
#include <boost/url/src.hpp>
