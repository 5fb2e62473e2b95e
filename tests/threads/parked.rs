// Workers that block in a runtime: see `../threads_submit.rs`.

/// A worker that waits in a runtime must not keep what others could run, or nobody would.
#[test]
fn a_worker_that_parks_in_a_runtime_shows_its_private_halves() {
    for _ in 0..20 {
        for rt in runtimes() {
            let _limit = Limit::new();
            let pool = pool_of(2);
            pool.install(|| {
                // The other worker is busy, so only the first half of the two is made public.
                let (begun, begins) = channel();
                let (go, gate) = channel::<()>();
                pool::spawn(move || {
                    begun.send(()).unwrap();
                    gate.recv().unwrap();
                });
                begins.recv().unwrap();
                let (tell, told) = trefoil::sync::oneshot::channel();
                let inner = || {
                    let wait = || {
                        go.send(()).unwrap();
                        rt.block_on(told).unwrap()
                    };
                    pool::join(wait, || tell.send(7).unwrap()).0
                };
                assert_eq!(pool::join(inner, || ()).0, 7);
            });
        }
    }
}
