//! The program as people run it.

use crate::support::program::Program;

#[test]
fn serve_says_that_it_listens_once_it_answers_and_ends_when_told() {
    let program = Program::new();
    for signal in ["TERM", "INT"] {
        let server = program.serve(&[]);
        let reply = crate::support::http::Request::get("/readyz").send(server.address());
        assert_eq!(reply.status, 200, "{}", reply.text());

        server.signal(signal);
        let (status, said) = server.wait();

        assert_eq!(status, Some(0), "{said}");
    }
}
